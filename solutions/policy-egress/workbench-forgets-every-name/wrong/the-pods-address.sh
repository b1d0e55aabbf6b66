# fails: a name server made tomorrow is asked as well
# The name server's Pod has an address, and that one the policy does see. Its successor will have another.
address=$(kubectl -n kube-system get pod -l k8s-app=kube-dns -o jsonpath='{.items[0].status.podIP}')
kubectl apply -f - <<YAML
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: bench-asks-for-names
  namespace: watchmaker
spec:
  podSelector: {matchLabels: {app: bench}}
  policyTypes: [Egress]
  egress:
  - to: [{ipBlock: {cidr: $address/32}}]
    ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
YAML
