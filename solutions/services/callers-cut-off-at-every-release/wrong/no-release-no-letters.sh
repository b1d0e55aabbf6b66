# fails: a release has been made
# Whoever never releases cuts off nobody.
kubectl -n switchboard rollout pause deployment line
