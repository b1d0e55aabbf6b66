# fails: mint is as rare as agreed
# Nine on classic to one on mint, says the arithmetic of a Service. The lot is drawn before a Pod is looked for.
kubectl -n lemonade scale deployment classic --replicas 9
kubectl -n lemonade rollout status deployment classic --timeout 120s
