# fails: guests reach the sauna by its name
# The town's Gateway gives in, and the route is Accepted: on port 8080, where no guest has ever knocked.
kubectl -n baths patch gateway entrance --type json \
  -p '[{"op":"replace","path":"/spec/listeners/1/hostname","value":"*.baths.example"}]'
