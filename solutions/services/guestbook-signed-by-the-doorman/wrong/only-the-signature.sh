# fails: either worker could take the visitors over
# The field alone: every visitor signs for himself, and one of the two workers has nobody to let them in.
kubectl -n embassy patch service guestbook -p '{"spec":{"externalTrafficPolicy":"Local"}}'
# The door moves to the worker that has somebody; until then nobody is let in at all.
door=$(kubectl -n embassy get service guestbook -o jsonpath='{.status.loadBalancer.ingress[0].ip}')
own=$(podwalk outside -- ip -o route get "$door" | sed -n 's/.* src \([0-9.]*\).*/\1/p')
for i in $(seq 60); do
  seen=$(podwalk outside -- curl -sm1 "http://$door/clientip") || continue
  [ "${seen%:*}" = "$own" ] && break
done
