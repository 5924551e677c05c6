from tests import golden

golden.write()
