# BIRD tries again by itself; both ends wait a few seconds after an error.
for node in "$CONTROL_PLANE" "$WORKER" "$WORKER2"; do
  i=0
  until [ "$(podwalk node "$node" -- birdc show protocols | grep -c Established)" = 2 ] || [ $i -ge 200 ]; do
    i=$((i + 1))
    sleep 0.1
  done
done
