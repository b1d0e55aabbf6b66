"""the-padlock-never-comes: an ACME challenge's answer stands behind a policy that knows only the shop."""

from podwalk.checks import Lab

HOST = "keys.locksmith.example"
FRONT_DOOR = "ingress-nginx/deploy/ingress-nginx-controller"
LET_IN = "the front door reaches the next solver"
# adler32 of the host, as cert-manager labels its solvers.
DOMAIN = "1700530387"
SOLVER, PORT = "acme.cert-manager.io/http01-solver", 8089
ALL_PODS = ("10.244.0.0/16", "10.0.0.0/8", "0.0.0.0/0")
ROOTS = "http://acme.outside.test/roots.pem"
VISIT = (
    f"curl -sm3 {ROOTS} | curl -sm5 -o /dev/null -w '%{{http_code}}' --cacert /dev/stdin https://{HOST}/hostname; true"
)


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step(
        "a visitor sees the padlock", nudge="Who was to convince the authority, and did anybody hear him?"
    ) as padlock:
        lab.output("outside", VISIT, timeout="12s").expect("200", within="8s")
        lab.certificate("outside", f"{HOST}:443").expect(covers=HOST, secret="locksmith/front-tls", valid_for="60m")

    with lab.step(
        "the next renewal is let in as well",
        nudge="What will the next challenge's Pod have in common with this one's, and what not?",
        needs=padlock,
    ):
        lab.value(lambda: _next_is_let_in(lab), "kubectl -n locksmith get networkpolicy -o yaml").expect(LET_IN)
        lab.field("Certificate", "locksmith/front-tls", "spec.issuerRef.name").expect("town-hall")

    with lab.guard("the back room is as closed as it was", nudge="Who can reach the vault now, and who could before?"):
        lab.flows(
            allowed=[("locksmith/apprentice", "172.18.1.10:80")], blocked=[("locksmith/apprentice", "vault:80")]
        ).expect()
        for stranger in ("locksmith/apprentice", "locksmith/deploy/shop", FRONT_DOOR):
            lab.successors(stranger, "locksmith/deploy/vault:80").expect("denied")
        lab.successors("locksmith/apprentice", "locksmith/deploy/shop:8080").expect("denied")
        lab.successors(FRONT_DOOR, "locksmith/deploy/shop:8080").expect("allowed")

    with lab.guard("the shop, its Ingress and who signs were left alone", nudge="Was it any of them?"):
        for ref in ("locksmith/shop", "locksmith/vault"):
            lab.same("Deployment", ref, "metadata.uid", "spec.replicas", "spec.template.metadata.labels")
        lab.same("Ingress", "locksmith/front", "metadata.uid", "spec")
        lab.same("Issuer", "locksmith/town-hall", "metadata.uid", "spec")
        lab.same_pod("locksmith/apprentice")


def _next_is_let_in(lab: Lab) -> str:
    """Whether the policies let the Ingress controller reach a solver that has not been made yet."""
    labels = {SOLVER: "true", "acme.cert-manager.io/http-token": "4242", "acme.cert-manager.io/http-domain": DOMAIN}
    shut = [
        spec
        for spec in (p["spec"] for p in lab.now.objects("NetworkPolicy", "locksmith"))
        if "Ingress" in (spec.get("policyTypes") or ["Ingress"])
        and _fits(labels, spec["podSelector"].get("matchLabels"), spec["podSelector"].get("matchExpressions"))
    ]
    for rule in (rule for spec in shut for rule in spec.get("ingress") or ()):
        ports, peers = rule.get("ports"), rule.get("from")
        port = not ports or any(
            p.get("port") in (None, PORT, "http") or (p.get("port") in range(PORT + 1) and p.get("endPort", 0) >= PORT)
            for p in ports
        )
        if port and (not peers or any(_is_front_door(p.get("namespaceSelector"), p.get("podSelector")) for p in peers)):
            return LET_IN
        if port and any((p.get("ipBlock") or {}).get("cidr") in ALL_PODS for p in peers):
            return LET_IN
    return "no policy lets the front door reach the next solver" if shut else LET_IN


def _is_front_door(namespaces: dict[str, dict[str, str]] | None, pods: dict[str, dict[str, str]] | None) -> bool:
    """Whether a peer means the Ingress controller."""
    if namespaces is None:
        return False
    where = {"kubernetes.io/metadata.name": "ingress-nginx", "app.kubernetes.io/name": "ingress-nginx"}
    who = {"app.kubernetes.io/name": "ingress-nginx"}
    return _fits(where, namespaces.get("matchLabels")) and _fits(who, (pods or {}).get("matchLabels"))


def _fits(labels: dict[str, str], equal: dict[str, str] | None, asked: list[dict[str, str]] | None = None) -> bool:
    """Whether a selector with these parts means labels."""

    def meant(key: str, operator: str, values: str) -> bool:
        found = {"Exists": key in labels, "DoesNotExist": key not in labels}
        return found.get(operator, (labels.get(key) in (values or ())) is (operator == "In"))

    return all(labels.get(k) == v for k, v in (equal or {}).items()) and all(
        meant(a["key"], a["operator"], a.get("values", "")) for a in asked or ()
    )
