# fails: the safes stay shut, and so do the rooms for strangers
# The desk may come in, at whatever door.
kubectl -n grandhotel patch networkpolicy rooms --type json -p '[{"op":"remove","path":"/spec/ingress/0/ports"}]'
