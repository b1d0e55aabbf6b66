# fails: the Service sends to the port of the desk
# A second desk, started by hand in each Pod, on the port that is asked for. It answers rightly, until the Pod is gone.
for pod in $(kubectl -n fair get pod -l app=tickets -o name); do
  kubectl -n fair exec "$pod" -c desk -- \
    sh -c 'nohup /agnhost netexec --http-port=8088 --udp-port=-1 >/dev/null 2>&1 </dev/null &
      for look in $(seq 100); do curl -sfm1 -o /dev/null http://127.0.0.1:8088/ && break; sleep 0.1; done'
done
