import sys

from tests.mutation import record

record.forget_survivors() if "--again" in sys.argv[1:] else record.write()
