# fails: a scoreboard made tomorrow answers as well
# New Pods from the old settings, and then the second server by hand: the Pods look new, and nothing has been repaired.
kubectl -n centrecourt rollout restart deployment score
kubectl -n centrecourt rollout status deployment score --timeout 120s
for pod in $(kubectl -n centrecourt get pod -l app=score --field-selector status.phase=Running -o name); do
  kubectl -n centrecourt exec "$pod" -- sh -c 'httpd -p "$(hostname -i):'"$LAB_PORT"'" -h /srv/score' || true
done
