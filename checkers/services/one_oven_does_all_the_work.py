"""one-oven-does-all-the-work: one connection is one choice; the shop must make more than one of them."""

from podwalk.checks import Lab

SHOP = "bakery/deploy/shop"
ORDERS = 60
# Of thirty connections, two orders each, every oven is chosen once at least, but for one time in sixty thousand.
LEAST = 2
# Waits for the next sixty orders, for at most a minute, and prints who has baked them. They are read again where the
# till has just put its book away.
_NEXT = f"""cd /tmp; last() {{ tail -n 1 orders | cut -d' ' -f1; }}
n=$(last); n=${{n:-0}}; for i in $(seq 300); do m=$(last)
[ "${{m:-0}}" -ge $((n + {ORDERS})) ] && break; sleep 0.2; done
new() {{ cat older orders | tail -n {ORDERS} | while read -r number oven; do
[ "$number" -le "$n" ] || echo "$oven"; done; }}
for i in $(seq 9); do b=$(new); [ "$(echo "$b" | wc -l)" -ge {ORDERS} ] && break; sleep 0.1; done; echo "$b\""""

_SHOW = f"tail -n {ORDERS} /tmp/orders | cut -d' ' -f2 | sort | uniq -c | xargs"


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    baked: dict[str, int] = {}
    with lab.step("loaves are baked", nudge="Does the shop still get answers, and from whom?") as orders:
        answers = lab.read(SHOP, _NEXT, timeout="90s").split()
        # An order that nobody baked in time is no choice of an oven.
        baked.update((oven, answers.count(oven)) for oven in answers if oven != "nobody")
        lab.output(SHOP, f"echo {len(answers) >= ORDERS}").expect("True")

    with lab.step("every oven gets its share", nudge="What is it that a Service spreads?", needs=orders):
        ovens = lab.pod_names("bakery/oven")
        if set(baked) == ovens and min(baked.values()) >= LEAST:
            lab.output(SHOP, "echo fair").expect("fair")
        else:
            lab.output(SHOP, _SHOW).expect(f"at least {LEAST} from each of {', '.join(sorted(ovens))}")

    with lab.step("the ovens are found by the Service", nudge="Who tells the shop of a fourth oven?", needs=orders):
        lab.goes_to(SHOP, "$OVEN_URL").expect("service bakery/oven")
        lab.endpoints("bakery/oven").expect(lambda: lab.pod_ips("bakery/oven"))

    with lab.guard("the ovens were left alone", nudge="Was it the ovens that chose?"):
        lab.same("Deployment", "bakery/oven", "metadata.uid", "spec.replicas", "spec.template.spec.containers")
        lab.same("Service", "bakery/oven", "metadata.uid", "spec.clusterIP", "spec.selector", "spec.sessionAffinity")

    with lab.guard("the till's program is as it was sealed", nudge="What may be set, and what is sealed?"):
        lab.same("ConfigMap", "bakery/till", "data")
        lab.same("Deployment", "bakery/shop", "metadata.uid", "spec.replicas", "spec.template.spec.volumes")
        lab.output(SHOP, "tr '\\0' ' ' < /proc/1/cmdline; ls /till").expect("sh /till/till.sh till.sh")
