"""Elementary functions by additions, multiplications, divisions and square roots alone, which every processor rounds alike.

A library's exp differs from another's in the last bit, and training amplifies it. Here are Lambert's continued fractions, cut
where the rest is below the rounding. For s² = z, with P, Q polynomials in z:

    tanh s   = s / (1 + z/(3 + z/(5 + …)))      = s P/Q
    artanh s = s / (1 − z/(3 − 4z/(5 − 9z/7 …))) = s P/Q, and arctan s the same of −z

Errors are in units in the last place (ulp), the most that tests find against decimal arithmetic.
"""

import math

import numpy as np

from tdu._jit import kernel
from tdu._llvm import wide

#: ln 2 in two parts: the first has so few bits that its product with any exponent is exact.
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10
_HALVINGS = np.array([math.ldexp(1.0, -k) for k in range(1023)])  # 2^−k
_VANISHED = 708.0  # exp of minus this is taken for 0: soon after, numbers lose their digits

#: Beyond this, tanh is ±1 to the last bit.
_SATURATION = 19.1


@kernel
def tanh(values):
    """Replace `values` (n,) by their hyperbolic tangents, to 7 ulp and at most 1; nan stays.

    Nine terms of the fraction give tanh x/4 = a/b, its coefficients below those in x. Doubled twice, tanh 2y = u/s with u = 2ab
    and s = a² + b², and tanh 4y = 2us / (2us + (s − u)²), which no rounding brings above 1.
    """
    wide()
    for i in range(values.size):
        x = values[i]
        x = _SATURATION if x > _SATURATION else x
        x = -_SATURATION if x < -_SATURATION else x
        z = x * x
        a = z + 15840.0
        a = a * z + 34594560.0
        a = a * z + 19372953600.0
        a = (a * z + 2258332876800.0) * x
        b = 180.0 * z + 887040.0
        b = b * z + 968647680.0
        b = b * z + 265686220800.0
        b = b * z + 9033331507200.0
        u = (a + a) * b
        s = a * a + b * b
        apart = s - abs(u)
        a = (u + u) * s
        values[i] = a / (abs(a) + apart * apart)


@kernel
def exp_minus(x):
    """exp(−x) of x ≥ 0, to 3 ulp; nan of nan.

    −x = −k ln 2 − r with |r| ≤ ln 2 / 2, and exp(−r) = (b − a)/(b + a) where tanh(r/2) = a/b, by six terms.
    """
    if x > _VANISHED:
        return 0.0
    if x != x:
        return x
    k = int(x * 1.4426950408889634 + 0.5)
    y = 0.5 * ((x - k * _LN2_HIGH) - k * _LN2_LOW)
    z = y * y
    a = ((21.0 * z + 1260.0) * z + 10395.0) * y
    b = ((z + 210.0) * z + 4725.0) * z + 10395.0
    return (b - a) / (b + a) * _HALVINGS[k]


@kernel
def arc(s, z):
    """Hyperbolic arc tangent of s for z = s², arc tangent for z = −s²; |s| ≤ 0.2, by eight terms."""
    p = ((-136431.0 * z + 1327095.0) * z - 3108105.0) * z + 2027025.0
    q = (((11025.0 * z - 396900.0) * z + 2182950.0) * z - 3783780.0) * z + 2027025.0
    return s * p / q


@kernel
def log1p(x):
    """log(1 + x) of x in [0, 1], to 3 ulp: 2 artanh of x/(2 + x), and past √2 − 1 ln 2 more than that of (1 + x)/2."""
    if x > 0.41421356237309503:
        s = (x - 1.0) / (x + 3.0)
        return 0.6931471805599453 + 2.0 * arc(s, s * s)
    s = x / (x + 2.0)
    return 2.0 * arc(s, s * s)


@kernel
def log(x):
    """Logarithm of a normal x > 0, to 3 ulp."""
    mantissa, exponent = math.frexp(x)
    if mantissa < 0.7071067811865476:
        mantissa += mantissa
        exponent -= 1
    s = (mantissa - 1.0) / (mantissa + 1.0)
    return exponent * _LN2_HIGH + (exponent * _LN2_LOW + 2.0 * arc(s, s * s))


@kernel
def geometric(low, high, values):
    """Fill `values` (n,), n > 1, from `low` > 0 to `high` ≥ `low` each the same multiple of the one before."""
    rise, n_steps = log(high / low), values.size - 1
    for k in range(values.size):
        values[k] = high * exp_minus((n_steps - k) / n_steps * rise)
    values[0] = low


@kernel
def arcsine(x):
    """Arc sine of x in [0, 0.75], to 5 ulp: the arc tangent of x / √(1 − x²), of a quarter of the angle."""
    t = x / math.sqrt((1.0 - x) * (1.0 + x))
    t = t / (1.0 + math.sqrt(1.0 + t * t))
    t = t / (1.0 + math.sqrt(1.0 + t * t))
    return 4.0 * arc(t, -t * t)


@kernel
def _tail(p):
    """The positive number that a normal variable exceeds with probability `p` < 0.075 (Wichura 1988, algorithm AS 241)."""
    r = math.sqrt(-log(p))
    if r <= 5.0:
        r -= 1.6
        a = ((7.7454501427834140764e-4 * r + 2.27238449892691845833e-2) * r + 2.41780725177450611770e-1) * r
        a = ((a + 1.27045825245236838258) * r + 3.64784832476320460504) * r + 5.76949722146069140550
        a = (a * r + 4.63033784615654529590) * r + 1.42343711074968357734
        b = ((1.05075007164441684324e-9 * r + 5.4759380849953449460e-4) * r + 1.51986665636164571966e-2) * r
        b = ((b + 1.48103976427480074590e-1) * r + 6.89767334985100004550e-1) * r + 1.67638483018380384940
        return a / ((b * r + 2.05319162663775882187) * r + 1.0)
    r -= 5.0
    a = ((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r + 1.24266094738807843860e-3) * r
    a = ((a + 2.65321895265761230930e-2) * r + 2.96560571828504891230e-1) * r + 1.78482653991729133580
    a = (a * r + 5.46378491116411436990) * r + 6.65790464350110377720
    b = ((2.04426310338993978564e-15 * r + 1.42151175831644588870e-7) * r + 1.84631831751005468180e-5) * r
    b = ((b + 7.86869131145613259100e-4) * r + 1.48753612908506148525e-2) * r + 1.36929880922735805310e-1
    return a / ((b * r + 5.99832206555887937690e-1) * r + 1.0)


@kernel
def quantiles_of_normal(uniforms, scale, values):
    """Fill `values` (n,) with normal numbers of mean 0 and standard deviation `scale` from `uniforms` (n,), multiples of 2⁻⁵³.

    The quantile of u + 2⁻⁵⁴, which is neither 0 nor 1, by the rational functions of Wichura (1988, algorithm AS 241). First all
    as if they lay in the middle, |u − ½| ≤ 0.425, without a branch; then those beyond again.
    """
    for i in range(values.size):
        q = 0.5 * (2.0 * uniforms[i] - 1.0 + 2.0**-53)
        r = 0.180625 - q * q
        a = ((2.5090809287301226727e3 * r + 3.3430575583588128105e4) * r + 6.7265770927008700853e4) * r
        a = ((a + 4.5921953931549871457e4) * r + 1.3731693765509461125e4) * r + 1.9715909503065514427e3
        a = (a * r + 1.3314166789178437745e2) * r + 3.3871328727963666080
        b = ((5.2264952788528545610e3 * r + 2.8729085735721942674e4) * r + 3.9307895800092710610e4) * r
        b = ((b + 2.1213794301586595867e4) * r + 5.3941960214247511077e3) * r + 6.8718700749205790830e2
        values[i] = scale * (q * (a / ((b * r + 4.2313330701600911252e1) * r + 1.0)))
    for i in range(values.size):
        q = 0.5 * (2.0 * uniforms[i] - 1.0 + 2.0**-53)
        if abs(q) > 0.425:
            values[i] = scale * math.copysign(_tail(0.5 - abs(q)), q)
