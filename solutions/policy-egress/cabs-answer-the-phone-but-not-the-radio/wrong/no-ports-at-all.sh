# fails: the driver's own channel stays his own
# The dispatch is trusted, so it may call whatever it likes.
kubectl -n taxirank patch networkpolicy cab --type json -p '[{"op":"remove","path":"/spec/ingress/0/ports"}]'
