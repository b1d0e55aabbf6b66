# fails: both lines answer thirty listeners in a row
# A load balancer's address leads to the right machine by itself. But the exchange dials the workers, as it always did.
kubectl -n radio patch service player -p '{"spec":{"type":"LoadBalancer"}}'
