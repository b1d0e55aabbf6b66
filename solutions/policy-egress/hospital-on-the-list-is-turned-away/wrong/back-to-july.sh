# fails: the fridge knows who is calling
# In July it worked, on the other machine: the one that the address is on. There the source is rewritten a little later.
node=$(kubectl -n bloodbank get events --field-selector reason=nodeAssigned -o jsonpath='{.items[0].message}' | cut -d'"' -f2)
kubectl -n bloodbank patch deployment fridge --type merge -p \
  "{\"spec\":{\"template\":{\"spec\":{\"tolerations\":[{\"operator\":\"Exists\"}],\"nodeSelector\":{\"kubernetes.io/hostname\":\"$node\"}}}}}"
kubectl -n bloodbank rollout status deployment fridge --timeout 60s
