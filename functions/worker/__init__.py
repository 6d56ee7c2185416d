"""The worker: started by the stream of the jobs table, it runs what is queued."""
