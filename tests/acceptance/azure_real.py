"""The same against a real server: deployed, verified, deployed again, changed behind its back. Part of azure.py.

Needs `sqlcmd` and a database where tables may be made: PIPE_TEST_AZURE_URL.
"""
from urllib.parse import unquote, urlsplit

from azure_existing import looked_up
from azure_sources import reads_types
from harness import run


def real(place, check, url, schema, counts):
    """Plays all commands over the tables of `schema`; `counts` are the rows of the parent and of the child that the pipeline loads."""
    rows, texts = counts
    parts = urlsplit(url)
    tool = ["sqlcmd", "-S", f"{parts.hostname},{parts.port or 1433}", "-U", unquote(parts.username or ""), "-d", parts.path.strip("/"), "-b", "-I", "-f", "65001", "-W", "-h", "-1"]

    def sql(text):
        done = run([*tool, "-Q", "SET NOCOUNT ON; " + text], env={"SQLCMDPASSWORD": unquote(parts.password or "")})
        return done.stdout.strip() if done.code == 0 else str(done)

    def do(*command):
        return run([place.pipe, *command], cwd=place.root, env={"AZURE_URL": url})

    drop = "DROP TABLE IF EXISTS dbo.pipe_child; DROP TABLE IF EXISTS dbo.pipe_parent; DROP TABLE IF EXISTS dbo.pipe_types;"
    sql(drop)
    for statement in schema.split("GO\n"):
        if statement.strip():
            sql(statement)
    try:
        check(do("doctor", "--target", "here").code == 0, "real: doctor", lambda: do("doctor", "--target", "here"))
        for time_ in ("first", "second"):
            done = do("deploy", "azure")
            check(done.code == 0, f"real: {time_} deployment", done)
            done = do("verify", "azure")
            check(done.code == 0 and "MISMATCH" not in done.stdout, f"real: verified after the {time_}", done)
        check(sql("SELECT COUNT(*) FROM dbo.pipe_parent") == str(rows), "real: all rows", sql("SELECT COUNT(*) FROM dbo.pipe_parent"))
        done = do("schema", "diff", "pipe_parent", "pipe_child", "--target", "here")
        check(done.code == 0 and "agree" in done.stdout, "real: contract and database agree", done)
        done = do("run", "azure", "--dry-run", "--deploy", "--format", "json")
        check([[table[n] for n in ("inserts", "updates", "unchanged")] for table in (done.json() or {}).get("would_change", [])] == [["0", "0", str(rows)], ["0", "0", str(texts)]], "real: nothing would change", done)
        reads_types(place, check, sql, do)
        looked_up(place, check, do)
        sql("UPDATE dbo.pipe_parent SET name = N'changed' WHERE id = 5")
        check(do("verify", "azure").code == 1, "real: a changed row is a MISMATCH")
        done = do("rollback", "azure")
        check(done.code == 3 and "error[X0516]" in done.stderr, "real: a changed row is not rolled back", done)
        sql("DELETE FROM dbo.pipe_child; DELETE FROM dbo.pipe_parent WHERE id > 9")
        before = sql("SELECT CHECKSUM_AGG(CHECKSUM(*)), COUNT(*) FROM dbo.pipe_parent")
        for command in ("deploy", "verify", "rollback"):
            done = do(command, "azure")
            check(done.code == 0, f"real: {command} over some rows", done)
        check(sql("SELECT CHECKSUM_AGG(CHECKSUM(*)), COUNT(*) FROM dbo.pipe_parent") == before and sql("SELECT COUNT(*) FROM dbo.pipe_child") == "0", "real: all is as it was")
        check(do("rollback", "azure").code == 3 and sql("SELECT COUNT(*) FROM sys.tables WHERE name LIKE N'pipe[_]undo%'") == "0", "real: once, and nothing stays")
        sql("DELETE FROM dbo.pipe_child; ALTER TABLE dbo.pipe_child ADD CONSTRAINT pipe_none CHECK (id < 5)")
        done = do("deploy", "azure")
        check(done.code == 3 and "error[X0515]" in done.stderr and sql("SELECT name FROM dbo.pipe_parent WHERE id = 5") == "changed", "real: a broken constraint takes everything back", done)
    finally:
        sql(drop)
        sql("DECLARE @s nvarchar(max); SELECT @s = STRING_AGG(N'DROP TABLE dbo.' + QUOTENAME(name), N'; ') FROM sys.tables WHERE name LIKE N'pipe[_]undo%'; EXEC (@s)")
