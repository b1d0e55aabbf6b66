# fails: three sprinklers are ready
# Past the scheduler by a toleration; and there, on the node, they wait for a network that nobody can make.
kubectl -n greenhouse patch deployment sprinkler --type merge \
  -p '{"spec":{"template":{"spec":{"tolerations":[{"key":"node.kubernetes.io/not-ready","operator":"Exists"}]}}}}'
