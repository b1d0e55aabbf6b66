# fails: visitors from the street get in
# externalIPs with a node's address: traffic for it would be taken. But door still waits, and shows visitors no way in.
kubectl -n museum patch service door -p '{"spec":{"externalIPs":["'"$WORKER_IP"'"]}}'
