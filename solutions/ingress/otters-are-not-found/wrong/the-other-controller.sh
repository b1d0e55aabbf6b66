# fails: visitors see the otters
# The first class in the list. An address appears at once, and looks like success; but the visitors go to another one.
kubectl -n otter-pool patch ingress otters --type merge -p '{"spec":{"ingressClassName":"haproxy"}}'
