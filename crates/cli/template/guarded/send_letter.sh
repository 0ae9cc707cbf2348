# Stands in for a mail server: keeps the letter, which comes as JSON, in a folder. The key makes it one file, however often
# it is asked.
mkdir -p outbox && cat > "outbox/$ADJUTANT_IDEMPOTENCY_KEY.json" && echo "sent"
