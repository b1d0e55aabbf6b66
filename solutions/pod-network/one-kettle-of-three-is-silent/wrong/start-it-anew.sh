# fails: whoever gets the address next will be reached
# As in spring: the kettle gets another address and answers. The route waits for the next Pod that gets the old one.
kubectl -n brewery delete pod "kettle-$LAB_KETTLE"
kubectl -n brewery wait pod "kettle-$LAB_KETTLE" --for create --timeout 60s
kubectl -n brewery wait pod "kettle-$LAB_KETTLE" --for condition=Ready --timeout 60s
# Its name has an address a moment after it is Ready.
i=0
until kubectl -n brewery exec brewmaster -- getent hosts "kettle-$LAB_KETTLE.kettle" >/dev/null || [ $i -ge 100 ]; do
  i=$((i + 1))
done
