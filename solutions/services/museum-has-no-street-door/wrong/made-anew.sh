# fails: the way through the courtyard still works
# Delete it, make it again without the class: an address at once, and another ClusterIP than the one in the guard's note.
kubectl -n museum delete service door
kubectl -n museum expose deployment exhibition --name door --type LoadBalancer --port "$LAB_PORT" --target-port 8080
kubectl -n museum wait --for=jsonpath='{.status.loadBalancer.ingress}' service/door --timeout 30s
