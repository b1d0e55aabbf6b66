# fails: the list names guests by what they are
# The doorman's address is in the log of the honey, once the list is off for a moment; so it is written down.
address=$(kubectl -n ingress-nginx get pod -l app.kubernetes.io/name=ingress-nginx -o jsonpath='{.items[0].status.podIP}')
kubectl -n apiary patch networkpolicy who-may-have-honey --type json \
  -p '[{"op":"add","path":"/spec/ingress/0/from/-","value":{"ipBlock":{"cidr":"'"$address"'/32"}}}]'
