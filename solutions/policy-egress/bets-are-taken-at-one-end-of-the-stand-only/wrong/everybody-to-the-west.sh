# fails: the stand is as it was
# At the west end bets are taken, so the east window moves there. The eight ports stay eight, for whoever comes next.
kubectl -n racecourse patch deployment window-east --type merge -p \
  "{\"spec\":{\"template\":{\"spec\":{\"nodeSelector\":{\"kubernetes.io/hostname\":\"$WORKER2\"}}}}}"
kubectl -n racecourse rollout status deployment window-east --timeout 60s
