# fails: the till gets an answer
# Have you tried turning it off and on again? New Pods, the same labels, the same refusal.
kubectl -n canteen rollout restart deployment menu
kubectl -n canteen rollout status deployment menu --timeout 120s
