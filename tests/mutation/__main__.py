from tests.mutation import record

record.write()
