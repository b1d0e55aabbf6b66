# fails: a scoreboard made tomorrow answers as well
# A second server in each Pod, at the address that was missing: thirty good calls, until a Pod is replaced in the match.
for pod in $(kubectl -n centrecourt get pod -l app=score -o name); do
  kubectl -n centrecourt exec "$pod" -- sh -c 'httpd -p "$(hostname -i):'"$LAB_PORT"'" -h /srv/score'
done
