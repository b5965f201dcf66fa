CREATE TABLE both (store text, town text, amount integer, size integer, people integer, label text);
