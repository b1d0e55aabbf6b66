# fails: thirty guests in a row are woken
# The modern house is right and the policy is old: it gets the new number. Now the other half sleeps.
kubectl -n grandhotel patch networkpolicy rooms --type json \
  -p '[{"op":"replace","path":"/spec/ingress/0/ports/0/port","value":'"$LAB_PORT"'}]'
