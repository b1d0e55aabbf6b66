# fails: visitors from the street get in
# A door beside the door. It opens, and over the other one it still says <pending>.
kubectl -n museum expose deployment exhibition --name side-door --type LoadBalancer --port "$LAB_PORT" --target-port 8080
kubectl -n museum wait --for=jsonpath='{.status.loadBalancer.ingress}' service/side-door --timeout 30s
