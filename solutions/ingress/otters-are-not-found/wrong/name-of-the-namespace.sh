# fails: visitors see the otters
# The controller is called ingress-nginx wherever one looks. Its class is not, and a class that is not there is no error.
kubectl -n otter-pool patch ingress otters --type merge -p '{"spec":{"ingressClassName":"ingress-nginx"}}'
