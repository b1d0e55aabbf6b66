# fails: the desk still gets the news
# Nobody gets the news any more, then the agency will not either. It does; only the desk's next call is refused.
kubectl -n newsroom patch networkpolicy wire --type merge -p '{"spec":{"ingress":[]}}'
podwalk policy status --wait 10
