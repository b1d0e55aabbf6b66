# fails: the huts stand where they stood
# The other node works, so the south hut moves in there, and the fault waits for the next Pod.
kubectl -n alpine patch deployment hut-south --type merge -p \
  "{\"spec\":{\"template\":{\"spec\":{\"nodeSelector\":{\"kubernetes.io/hostname\":\"$WORKER\"}}}}}"
kubectl -n alpine rollout status deployment hut-south --timeout 60s
