# also right: wherever the fridge stands, the address follows it.
kubectl -n bloodbank patch service fridge -p '{"spec":{"externalTrafficPolicy":"Local"}}'
node=$(kubectl -n bloodbank get pod -l app=fridge -o jsonpath='{.items[0].spec.nodeName}')
other=$WORKER
if [ "$node" = "$WORKER" ]; then other=$WORKER2; fi
kubectl -n bloodbank patch deployment fridge --type merge -p \
  "{\"spec\":{\"template\":{\"spec\":{\"nodeSelector\":{\"kubernetes.io/hostname\":\"$other\"}}}}}"
kubectl -n bloodbank rollout status deployment fridge --timeout 60s
kubectl -n bloodbank wait --for=delete "$(kubectl -n bloodbank get pod -l app=fridge -o name | head -n1)" --timeout 1s 2>/dev/null || true
