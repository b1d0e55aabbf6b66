# fails: guests reach the sauna by its name
# The pool's route works, so the name moves in there. Whoever wants to sweat is sent into the water.
kubectl -n baths patch httproute pool --type json \
  -p '[{"op":"add","path":"/spec/hostnames/-","value":"sauna.baths.example"}]'
