# fails: strangers are turned away
# Local, and a wider list to be on the safe side: the pizza service is in 172.18.0.0/16, too.
kubectl -n bloodbank patch service fridge -p '{"spec":{"externalTrafficPolicy":"Local"}}'
kubectl -n bloodbank patch networkpolicy the-list --type json -p \
  '[{"op":"replace","path":"/spec/ingress/0/from/0/ipBlock/cidr","value":"172.18.0.0/16"}]'
