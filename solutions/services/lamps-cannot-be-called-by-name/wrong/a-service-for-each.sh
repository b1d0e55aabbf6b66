# fails: each lamp answers to its own name
# A Service lamp-0 and a Service lamp-1, each for one Pod. They are names, but not the ones in the logbook.
for lamp in lamp-0 lamp-1; do
  kubectl -n harbour expose pod "$lamp" --name "$lamp" --port 8080
done
