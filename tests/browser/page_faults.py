"""What a careful eye would find on a page: text that is cut off, stands out of its box, or is too pale."""

from __future__ import annotations

from jupyterlab_page import Page

# What stands beyond its box to the right, and text that is too pale on its ground (WCAG 2.2, success criterion 1.4.3).
_FAULTS = r"""
const root = document.querySelector(arguments[0]), faults = [], right = root.getBoundingClientRect().right + 1;
const probe = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgb = (colour, ground) => {
  probe.fillStyle = `rgb(${ground})`; probe.fillRect(0, 0, 1, 1);
  probe.fillStyle = colour; probe.fillRect(0, 0, 1, 1);
  return [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3);
};
const light = c => c.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ground = e => {
  const above = []; for (; e; e = e.parentElement) above.unshift(getComputedStyle(e).backgroundColor);
  return above.reduce((under, colour) => rgb(colour, under), [255, 255, 255]);
};
for (const e of root.querySelectorAll('*')) {
  const own = [...e.childNodes].filter(n => n.nodeType === 3 && n.textContent.trim());
  if (!own.length || e.tagName === 'STYLE' || !e.getClientRects().length) continue;
  const words = own[0].textContent.trim().slice(0, 40), style = getComputedStyle(e);
  if (e.getBoundingClientRect().right > right) faults.push(`${words}: stands out to the right`);
  if (e.scrollWidth > e.clientWidth + 1 && style.display !== 'inline' && style.overflowX !== 'visible')
    faults.push(`${words}: is cut off`);
  if (style.opacity < 1 || e.disabled) continue;
  const under = ground(e), [a, b] = [light(rgb(style.color, under)), light(under)].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  // A sign is no text: half of that will do (1.4.11).
  const enough = /[\p{L}\d]/u.test(words) ? 4.5 : 3;
  if (ratio < enough) faults.push(`${words}: ${style.color} on ${under} has a contrast of ${ratio.toFixed(2)}`);
}
return faults;
"""


def look_right(page: Page, name: str, selector: str) -> None:
    """Look for faults on a wide and on a narrow screen, and keep pictures of both."""
    for width in (1280, 800):
        page.resize(width, 2600)
        page.picture(f"{name.lower()}-{width}")
        found = page.driver.execute_script(_FAULTS, selector)
        assert found == [], found
