"""Faults in what the kernel does for Services: translation, tracking, masquerading, on one node only."""

from __future__ import annotations

from podwalk.faults.onnode import OnNode

_T = r"\d+ × timeout"
_IPTABLES = frozenset({"iptables"})
# Names of kube-proxy's chains come from a hash; the comments say which Service they are for.
_CHAINS = r"""
service_chain() {
  iptables -t nat -S KUBE-SERVICES | sed -nE "s|.*\"$1 cluster IP\".* -j (KUBE-SVC-[A-Z0-9]+)\$|\1|p" | head -n 1
}
endpoint_chain() {
  iptables -t nat -S "$1" | sed -nE "s|.* -> $2:[0-9]+\".* -j (KUBE-SEP-[A-Z0-9]+)\$|\1|p" | head -n 1
}
rewrite() {
  printf '*nat\n:%s - [0:0]\n%s\nCOMMIT\n' "$1" "$2" | iptables-restore -n
}
"""

FAULTS = (
    OnNode(
        "F28",
        "services",
        "senior",
        {"clock-again": "timeout", "clock": "answered by clock"},
        look="cat /proc/sys/net/netfilter/nf_conntrack_udp_timeout_stream",
        do=r"""echo 3600 > /proc/sys/net/netfilter/nf_conntrack_udp_timeout_stream
conntrack -D -p udp -s "$BOARD" --sport 5123 >/dev/null 2>&1 || true
conntrack -I -p udp -s "$BOARD" -d "$CLOCK_VIP" --sport 5123 --dport 123 -r "$NOBODY2" -q "$BOARD" \
  --reply-port-src 8081 --reply-port-dst 5123 --dst-nat "$NOBODY2" -t 3600 -u SEEN_REPLY,ASSURED""",
        mend="""echo "$FOUND" > /proc/sys/net/netfilter/nf_conntrack_udp_timeout_stream
conntrack -D -p udp --orig-port-src 5123 >/dev/null 2>&1 || true""",
    ),
    OnNode(
        "F29",
        "services",
        "senior",
        {"balance": r"nearly all to .*"},
        needs=_IPTABLES,
        do=_CHAINS
        + r"""
chain=$(service_chain tramway/trams:http)
rewrite "$chain" "$(iptables -t nat -S "$chain" | grep ^-A | sed 's/--probability 0.50*/--probability 0.97/')" """,
        mend=_CHAINS
        + r"""
chain=$(service_chain tramway/trams:http)
if [ -n "$chain" ] && iptables -t nat -S "$chain" | grep -q 'probability 0.9'; then
  rewrite "$chain" "$(iptables -t nat -S "$chain" | grep ^-A | sed -E 's/--probability 0\.9[0-9]*/--probability 0.5/')"
fi""",
    ),
    OnNode(
        "F31",
        "services",
        "senior",
        {"service-ip": "1 × timeout", "far": r"12 × HTTP 200 .*"},
        do='iptables -t raw -I PREROUTING -d "$TRAMS_VIP/32" -j CT --notrack',
        mend='while iptables -t raw -D PREROUTING -d "$TRAMS_VIP/32" -j CT --notrack 2>/dev/null; do :; done',
    ),
    OnNode(
        "F32",
        "services",
        "senior",
        {"itself": r".*timeout.*", "service": r"12 × HTTP 200 .*"},
        needs=_IPTABLES,
        do=_CHAINS
        + r"""
sep=$(endpoint_chain "$(service_chain tramway/trams:http)" "$EAST")
iptables -t nat -D "$sep" -s "$EAST/32" -m comment --comment tramway/trams:http -j KUBE-MARK-MASQ""",
        mend=_CHAINS
        + r"""
chain=$(service_chain tramway/trams:http)
sep=$([ -z "$chain" ] || endpoint_chain "$chain" "$EAST")
if [ -n "$sep" ] && ! iptables -t nat -S "$sep" | grep -q KUBE-MARK-MASQ; then
  iptables -t nat -I "$sep" 1 -s "$EAST/32" -m comment --comment tramway/trams:http -j KUBE-MARK-MASQ
fi""",
    ),
)
