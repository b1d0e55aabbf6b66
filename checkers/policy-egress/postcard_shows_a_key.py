"""postcard-shows-a-key: egress to the whole world includes the metadata address; the world must stay, without it."""

from podwalk.checks import Lab

PODS = ("printshop/deploy/press", "printshop/deploy/framer")
METADATA = "169.254.169.254"
PICTURES = ("www.outside.test", "example.com", "api.outside.test")


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step(
        "pictures still come from wherever a customer says", nudge="Is there a server left to fetch from?"
    ) as fetched:
        for pod in PODS:
            for host in PICTURES:
                lab.http(pod, f"http://{host}/").expect(status=200)
            lab.http(pod, "http://negatives:8080/hostname").expect(answered_by=lab.pod_names("printshop/negatives"))

    with lab.step(
        "nobody in the printshop reaches the metadata", nudge="Which policy lets this packet out?", needs=fetched
    ) as closed:
        lab.flows(
            allowed=[(pod, f"{PICTURES[0]}:80") for pod in PODS]
            + [(f"node:{node}", f"{METADATA}:80") for node in lab.nodes()],
            blocked=[(pod, f"{METADATA}:80") for pod in PODS],
        ).expect()

    with lab.step(
        "that holds for the next Pods as well",
        nudge="Who sees to it on a machine that joins next week, and for a Pod that is called otherwise?",
        needs=(fetched, closed),
    ):
        for pod in (*PODS, "printshop/deploy/negatives"):
            for port in (80, 443, 8080):
                lab.successors(pod, f"{METADATA}:{port}").expect("denied")
        for pod in PODS:
            for anywhere in ("203.0.113.80:80", "198.51.100.44:443", "172.18.1.33:80"):
                lab.successors(pod, anywhere).expect("allowed")
            lab.successors(pod, "printshop/deploy/negatives:8080").expect("allowed")

    with lab.guard("the machines still reach their metadata", nudge="Whose address was it in the first place?"):
        for node in lab.nodes():
            lab.connect(f"node:{node}", f"{METADATA}:80").expect("open")

    with lab.guard("the press and the framer are as they were", nudge="What had they done wrong?"):
        for name in ("press", "framer", "negatives"):
            lab.same("Deployment", f"printshop/{name}", "metadata.uid", "spec.template")
