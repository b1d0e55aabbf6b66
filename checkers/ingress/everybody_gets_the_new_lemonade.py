"""everybody-gets-the-new-lemonade: the weights stand the wrong way round; mint is to be as rare as agreed."""

from podwalk.checks import Lab

ORDERS = 300
SCRIPT = f"curl -q -s --noproxy '*' -m 20 -w ' %{{http_code}}\\n' 'http://lemonade.example/hostname?[1-{ORDERS}]'"
COUNT = f"sh -c \"curl -s -w '\\\\n' 'http://lemonade.example/hostname?[1-{ORDERS}]' | cut -d- -f1 | sort | uniq -c\""


def check(lab: Lab) -> None:
    """Behaviour first, then guards."""
    with lab.step("mint is as rare as agreed", nudge="Who draws the lot, and with which chances?") as rare:
        lab.value(lambda: served(lab), f"podwalk outside -- {COUNT}").expect(agreed(lab), within="10s")

    with lab.step(
        "nobody goes without a drink", nudge="What becomes of the share of one who is not there?", needs=rare
    ):
        # Where one in twelve gets nothing, sixty calls in a row are answered once in two hundred checks.
        lab.many("outside", "http://lemonade.example/hostname", 240).expect(status=200)

    with lab.guard("tasters get mint every time", nudge="Whom did the trial have for certain?"):
        mint = lab.pod_names("lemonade/mint")
        taster = {"x-taster": "yes"}
        lab.many("outside", "http://lemonade.example/hostname", 20, headers=taster).expect(answered_by=mint)

    with lab.guard("the kitchens are as they were", nudge="Was it the kitchens that drew the lot?"):
        for name in ("classic", "mint"):
            lab.same("Deployment", f"lemonade/{name}", "metadata.uid", "spec.template")
            lab.same("Service", f"lemonade/{name}", "metadata.uid", "spec.selector")

    with lab.guard("the agreement still hangs on the wall", nudge="Who agreed to the change?"):
        lab.same("ConfigMap", "lemonade/trial", "data")


def agreed(lab: Lab) -> str:
    """What a good count is told as: one glass in so many."""
    return f"about one mint in {int(lab.parameters['glasses']) + 1}"


def served(lab: Lab) -> str:
    """Three hundred glasses, counted. A third to twice of what was agreed leaves room for chance, none for a half."""
    lines = [line.split() for line in lab.read("outside", SCRIPT, timeout="30s").splitlines()]
    mint = lab.now.pods_of("lemonade/mint")
    names = {str(pod["metadata"]["name"]) for pod in mint}
    answers = ["mint" if words[0] in names else words[-1] for words in lines if words]
    fair = ORDERS / (int(lab.parameters["glasses"]) + 1)
    # Those who got nothing are for the next step to tell; here they count as the share that was drawn for them.
    got = answers.count("mint") + answers.count("503")
    return agreed(lab) if fair / 3 <= got <= fair * 2 else f"{got} mint in {len(answers)}"
