# fails: who presses slowly gets through even after it
# Better safe than sorry: one a minute, five at once. The sixth child in the queue goes home without a prize.
kubectl -n fun-fair annotate ingress prizes nginx.ingress.kubernetes.io/limit-rpm=1
