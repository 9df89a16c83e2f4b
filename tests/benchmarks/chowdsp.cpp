// Times chowdsp_wdf (double, templates) on the three decks and writes what it plays; tests/benchmarks/wdf.py builds and runs it.
// Arguments: folder with in_rc.f64, in_clipper.f64, in_bassman.f64 (48 kHz, volts); thermal voltage. Prints nanoseconds of processor time a sample.
#include <BassmanToneStack.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

using namespace chowdsp;

struct LowPass
{
    wdft::ResistorT<double> r { 4700.0 };
    wdft::CapacitorT<double> c { 47.0e-9 };
    wdft::WDFSeriesT<double, decltype (r), decltype (c)> s { r, c };
    wdft::PolarityInverterT<double, decltype (s)> p { s };
    wdft::IdealVoltageSourceT<double, decltype (p)> v { p };

    void prepare (double rate) { c.prepare (rate); }

    double processSample (double x)
    {
        v.setVoltage (x);
        v.incident (p.reflected());
        p.incident (v.reflected());
        return wdft::voltage<double> (c);
    }
};

struct Clipper
{
    explicit Clipper (double vt) : d (p, 2.52e-9, vt, 1.752) {}

    wdft::ResistiveVoltageSourceT<double> v { 4700.0 };
    wdft::CapacitorT<double> c { 47.0e-9 };
    wdft::WDFParallelT<double, decltype (v), decltype (c)> p { v, c };
    wdft::DiodePairT<double, decltype (p)> d; // "Best" quality, the library's default omega

    void prepare (double rate) { c.prepare (rate); }

    double processSample (double x)
    {
        v.setVoltage (10.0 * x);
        d.incident (p.reflected());
        p.incident (d.reflected());
        return wdft::voltage<double> (c);
    }
};

static std::vector<double> read (const std::string& path)
{
    std::vector<double> x;
    FILE* file = std::fopen (path.c_str(), "rb");
    if (file == nullptr)
        std::exit (1);
    double value;
    while (std::fread (&value, sizeof (value), 1, file) == 1)
        x.push_back (value);
    std::fclose (file);
    return x;
}

template <typename Model>
static void play (const std::string& folder, const std::string& name, Model& model)
{
    const std::vector<double> x = read (folder + "/in_" + name + ".f64");
    std::vector<double> y (x.size());
    model.prepare (48000.0);
    double best = 1e300;
    for (int run = 0; run < 9; ++run)
    {
        timespec start, stop;
        clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &start);
        for (size_t n = 0; n < x.size(); ++n)
            y[n] = model.processSample (x[n]);
        clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &stop);
        best = std::min (best, (stop.tv_sec - start.tv_sec) * 1e9 + (stop.tv_nsec - start.tv_nsec));
        if (run == 0) // later runs begin where the first one ended
        {
            FILE* file = std::fopen ((folder + "/out_" + name + ".f64").c_str(), "wb");
            if (file == nullptr || std::fwrite (y.data(), sizeof (double), y.size(), file) != y.size())
                std::exit (1);
            std::fclose (file);
        }
    }
    std::printf ("%s %.3f\n", name.c_str(), best / x.size());
}

int main (int, char** argv)
{
    const std::string folder = argv[1];
    LowPass rc;
    play (folder, "rc", rc);
    Clipper clipper (std::atof (argv[2]));
    play (folder, "clipper", clipper);
    Tonestack<double> stack;
    stack.prepare (48000.0);
    stack.setParams (0.5, 0.5, 0.5);
    play (folder, "bassman", stack);
}
