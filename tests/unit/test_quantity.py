import pytest

from podwalk.api import quantity


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("1", "1"), (2, "2"), (0.5, "500m"), ("1000m", "1"), ("1500m", "1500m"), ("0", "0"), ("1024Mi", "1Gi"),
        ("1536Mi", "1536Mi"), ("100M", "100M"), ("1000k", "1M"), ("0.0001", "1m"), ("1e3", "1e3"), ("512", "512"),
    ],
)  # fmt: skip
def test_canonical_form(written, stored):
    assert quantity.canonical(written) == stored


@pytest.mark.parametrize("garbage", ["abc", "", "1 Gi", "1KI", "--1"])
def test_garbage_is_refused_in_kubernetes_words(garbage):
    with pytest.raises(ValueError, match="quantities must match the regular expression"):
        quantity.canonical(garbage)


def test_values_compare_across_suffixes():
    assert quantity.value("1Gi") > quantity.value("1G")
    assert quantity.value("500m") == quantity.value("0.5")
