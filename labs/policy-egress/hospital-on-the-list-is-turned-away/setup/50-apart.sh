# The fridge stands on a worker that does not answer for the Service's address; who does is decided by a hash of both.
i=0
until said=$(kubectl -n bloodbank get events --field-selector reason=nodeAssigned -o jsonpath='{.items[0].message}' 2>/dev/null) \
  && [ -n "$said" ] || [ $i -ge 200 ]; do
  i=$((i + 1))
  sleep 0.05
done
node=$(echo "$said" | cut -d'"' -f2)
if [ "$node" = "$WORKER2" ]; then
  kubectl -n bloodbank patch deployment fridge --type merge -p \
    "{\"spec\":{\"template\":{\"spec\":{\"nodeSelector\":{\"kubernetes.io/hostname\":\"$WORKER\"}}}}}" >/dev/null
fi
kubectl -n bloodbank rollout status deployment fridge --timeout 60s >/dev/null
kubectl -n bloodbank wait --for=delete pod -l app=fridge --field-selector status.phase!=Running --timeout 10s >/dev/null 2>&1 || true
