# fails: a flood is held back
# Three hundred a minute are five a second. But the burst is five times the number: 1500 presses, all at once.
kubectl -n fun-fair annotate ingress prizes nginx.ingress.kubernetes.io/limit-rpm=300
