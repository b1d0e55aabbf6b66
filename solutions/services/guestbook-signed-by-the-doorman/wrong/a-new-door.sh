# fails: each visitor is signed by his own address
# A second load balancer, with the right policy and a new address. The visitors ring where they have always rung.
kubectl -n embassy expose deployment guestbook --name guestbook-signed --type LoadBalancer --port 80 --target-port 8080 \
  --overrides '{"spec":{"externalTrafficPolicy":"Local"}}'
