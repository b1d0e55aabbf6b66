# fails: the playhouse's dressers open the trunk
# No more coffee, no more theatre: without a rule nobody gets in.
kubectl -n wardrobe patch networkpolicy trunk --type merge -p '{"spec":{"ingress":[]}}'
