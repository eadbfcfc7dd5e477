Watch at http://127.0.0.1:19302/
