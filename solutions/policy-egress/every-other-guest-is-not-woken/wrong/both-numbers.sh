# fails: the safes stay shut, and so do the rooms for strangers
# The new wing's number is missing, so it is added. In the old wing the safe is behind it, and the other way round.
kubectl -n grandhotel patch networkpolicy rooms --type json \
  -p '[{"op":"add","path":"/spec/ingress/0/ports/-","value":{"port":'"$LAB_PORT"'}}]'
