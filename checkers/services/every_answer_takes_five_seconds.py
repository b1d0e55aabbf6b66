"""every-answer-takes-five-seconds: the first name server of the Pod is silent; names must be found without waiting."""

from podwalk.checks import Lab

COUNTER = "pharmacy/deploy/counter"
# Each call is a process of its own: within one, curl asks for the name only once, and with `rotate` the resolver draws
# its first server anew in each. Two late ones are forgiven to a busy machine.
_CALLS = """late=0
for call in $(seq 30); do
  curl -q -sf --noproxy '*' -m 0.9 -o /dev/null http://shelf/hostname || late=$((late + 1))
  [ $late -gt 2 ] && break
done
[ $late -le 2 ] && echo "in time" || echo "$late of the first $call calls took too long\""""


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the counter gets an answer", nudge="Who knows where shelf is, and who was asked?") as answer:
        lab.http(COUNTER, "http://shelf/hostname", timeout="8s").expect(answered_by=lab.pod_names("pharmacy/shelf"))

    with lab.step(
        "thirty calls take no time at all",
        nudge="What does the resolver wait for, before it asks somebody who answers?",
        needs=answer,
    ):
        lab.output(COUNTER, _CALLS, timeout="40s").expect("in time")

    with lab.step(
        "the name leads to the Service by itself",
        nudge="Where does the counter send its calls when shelf gets another address?",
        needs=answer,
    ):
        lab.goes_to(COUNTER, "$SHELF_URL").expect("service pharmacy/shelf")
        lab.goes_to(COUNTER, "http://shelf").expect("service pharmacy/shelf")

    with lab.guard("the shelf was left alone", nudge="Was it the shelf that made anybody wait?"):
        lab.same("Service", "pharmacy/shelf", "metadata.uid", "spec.type", "spec.clusterIP", "spec.selector")
        lab.same("Deployment", "pharmacy/shelf", "metadata.uid", "spec.template.spec")

    with lab.guard("the counter is on the Pod network", nudge="Which network does the counter stand on now?"):
        lab.same("Deployment", "pharmacy/counter", "metadata.uid", "spec.template.spec.hostNetwork")
